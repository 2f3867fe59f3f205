// Application Insights for the function app, in the same workspace. Only Entra ID identities write to it.

@description('Name of the component.')
@minLength(1)
@maxLength(260)
param name string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Resource id of the workspace.')
param workspaceId string

@description('Object id of the app\'s identity.')
param principalId string

var roles = loadJsonContent('../role-ids.json')

resource component 'Microsoft.Insights/components@2020-02-02' = {
  name: name
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspaceId
    DisableLocalAuth: true
  }
}

resource publish 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: component
  name: guid(component.id, principalId, roles.monitoringMetricsPublisher.id)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.monitoringMetricsPublisher.id)
    description: 'The Functions host sends its telemetry with the app\'s identity, since local authentication is off.'
  }
}

@description('Resource id.')
output id string = component.id

@description('Name of the component, by which the function app reads its connection string.')
output name string = component.name
