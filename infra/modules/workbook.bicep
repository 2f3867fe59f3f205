// The workbook: what is open, the runs, the source trigger, credentials, the monitor's own health.
targetScope = 'resourceGroup'

@description('Region of the workbook.')
param location string

@description('Tags.')
param tags object

@description('Resource id of the workspace that holds the findings.')
param workspaceId string

@description('Name that people see; unique in the resource group for the same source.')
param displayName string

@description('Where the portal lists the workbook: the workspace, or \'Azure Monitor\' for the gallery of Azure Monitor.')
param sourceId string = workspaceId

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  // Azure wants a GUID. The same one at each deployment updates the workbook in place.
  name: guid(resourceGroup().id, 'acr-transfer-monitor')
  location: location
  tags: union(tags, { 'hidden-title': displayName })
  kind: 'shared'
  properties: {
    displayName: displayName
    description: 'What the ACR Transfer Monitor found: open findings with their fixes, runs, waiting blobs, credentials.'
    category: 'workbook'
    version: 'Notebook/1.0'
    sourceId: sourceId
    serializedData: replace(
      loadTextContent('../workbooks/acr-transfer.workbook.json'),
      '__WORKSPACE_ID__',
      workspaceId
    )
  }
}

@description('Resource id.')
output id string = workbook.id
