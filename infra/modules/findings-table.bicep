// The table of findings. Deployed into the workspace's resource group, which may be another team's.
// Its columns are those of shared/findings/columns.json, which the code writes by.

@description('Name of the workspace.')
param workspaceName string

@description('Days that findings can be queried.')
@minValue(4)
@maxValue(730)
param retentionDays int

@description('Object id of the identity that alert rules query with.')
param alertPrincipalId string

var findings = loadJsonContent('../../shared/findings/columns.json')
var roles = loadJsonContent('../role-ids.json')

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' existing = {
  name: workspaceName
}

resource table 'Microsoft.OperationalInsights/workspaces/tables@2023-09-01' = {
  parent: workspace
  name: findings.table
  properties: {
    plan: 'Analytics'
    retentionInDays: retentionDays
    schema: {
      name: findings.table
      columns: [
        for column in findings.columns: {
          name: column.name
          // A table says dateTime where the stream of the rule says datetime; all other types have one name.
          type: column.type == 'datetime' ? 'dateTime' : column.type
        }
      ]
    }
  }
}

resource alertsRead 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: workspace
  name: guid(workspace.id, alertPrincipalId, roles.logAnalyticsReader.id)
  properties: {
    principalId: alertPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.logAnalyticsReader.id)
    description: 'Alert rules query with their own identity, not with the rights of whoever edited them last.'
  }
}

@description('Region of the workspace, in which its data collection and its alert rules have to be.')
output workspaceLocation string = workspace.location

@description('Name of the table.')
output tableName string = table.name
